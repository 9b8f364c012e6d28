"""Files to arrays and back: pictures, videos, sound, raw frames, faces."""
