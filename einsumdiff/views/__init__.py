"""Ways to show a derivative to people."""
