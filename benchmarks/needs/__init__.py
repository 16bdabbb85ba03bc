"""What a run needs beyond the product, brought to the machine where it is missing."""
