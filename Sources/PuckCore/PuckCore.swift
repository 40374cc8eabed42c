// PuckCore
