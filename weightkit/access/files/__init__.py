"""How a file is read and written: the reading process, its index, patching and replacing."""
