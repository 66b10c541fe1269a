"""Foundations: errors, files, tables, parameters, processes, devices, text."""
