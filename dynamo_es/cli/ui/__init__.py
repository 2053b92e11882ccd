"""The command for the stream browser, and the sample history that it can show."""
