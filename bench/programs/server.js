// An HTTP server at descriptor 3.
const http = require('node:http');

http.createServer((request, response) => response.end('x')).listen({ fd: 3 });
