"""Readers of files, one module a format; `metaplastic.data.formats` lists them."""
