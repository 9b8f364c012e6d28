"""From video files to frames as players show them, and the times of frames."""
