"""Reading and writing model files as plain data: nothing in a file is run or opened."""
