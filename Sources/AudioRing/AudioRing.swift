// AudioRing
