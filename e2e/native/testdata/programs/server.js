// An HTTP server at the descriptor that its argument names.
const http = require('http');
const server = http.createServer((request, response) => {
  if (request.url === '/slow') for (const end = Date.now() + 300; Date.now() < end;);
  response.end('served by ' + process.pid + '\n');
}).listen({ fd: Number(process.argv[2]) });
process.on('SIGTERM', () => server.close());
