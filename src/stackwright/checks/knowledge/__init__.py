"""What is known about images and software, as tables."""
