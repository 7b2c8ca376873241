"""The original iNNvestigate, in a process of its own."""
