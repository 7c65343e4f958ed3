"""Old logs shipped once: planned, split over worker processes, resumable."""
