"""The devices that training runs on: distribution strategies, clusters, importing TensorFlow, running out of memory."""
