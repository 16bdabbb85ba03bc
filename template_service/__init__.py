"""Templates in versions and languages: kept, checked, tried, and handed to those who send."""
