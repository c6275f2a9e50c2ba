"""What makes the weights: subjects, poses, rendering, samples, losses, training and evaluation. Not shipped."""
