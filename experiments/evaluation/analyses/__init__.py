"""What is asked of the test clips, one analysis a file, and the rows that answer."""
