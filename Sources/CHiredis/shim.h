// Only the reply reader: connections are SwiftNIO's. Debian package libhiredis-dev (0.14.1).
#include <hiredis/read.h>
