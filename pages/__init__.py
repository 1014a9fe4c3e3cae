"""The dashboard's pages: each a script of inputs, one engine call, and output."""
