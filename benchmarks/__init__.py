"""What `make bench` measures: segpipe beside the published design, on the same pictures in the same run."""
