"""What everything else stands on: errors, files, tables, parameters, processes, devices, text."""
