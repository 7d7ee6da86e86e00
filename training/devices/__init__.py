"""The devices that training runs on: distribution strategies, clusters, TensorFlow's import, running out of memory."""
