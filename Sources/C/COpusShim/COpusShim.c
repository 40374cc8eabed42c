// The C target needs one translation unit; everything is in the header.
#include "COpusShim.h"
