"""The networks of the thin-plate spline motion model (Zhao and Zhang, CVPR 2022)."""
