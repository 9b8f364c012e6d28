"""Reports: HTML pages, drawings of keypoints and masks, event files."""
