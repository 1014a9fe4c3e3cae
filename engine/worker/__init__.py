"""Worker processes: one for each phase, so that nothing a model does can hurt the dashboard."""
