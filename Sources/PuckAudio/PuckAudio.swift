// PuckAudio
