"""Alembic migrations; `engine.store.open_store` runs them."""
