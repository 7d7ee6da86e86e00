"""From one audio file to one waveform and its log-mel spectrogram, in a process of its own."""
