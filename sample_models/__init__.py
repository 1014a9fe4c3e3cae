"""Small trained models that come with the product, one folder each."""
