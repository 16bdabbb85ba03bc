"""The chassis that Carillon's services stand on; it knows no service."""
