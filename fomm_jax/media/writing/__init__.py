"""From frames to video files, with their times and their sound."""
