"""What own data comes in: compressed files, archives, columnar files, spreadsheets, and datasets on the Hub."""
