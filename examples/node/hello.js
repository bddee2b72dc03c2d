// Answers HTTP requests that take computing; says busy and idle by records of
// twelve bytes on descriptor 5.
const fs = require('node:fs');
const http = require('node:http');

const generation = parseInt(process.env.GENERATION, 8);
const [busy, idle] = [0, 1];

function report(state) {
  fs.writeSync(5, new Uint32Array([process.pid, generation, state]));
}

http.createServer((request, response) => {
  report(busy);
  compute(new URL(request.url, 'http://localhost').searchParams.get('ms'));
  response.on('close', () => report(idle));
  response.end(`hello from node, worker ${process.pid}\n`);
}).listen({ fd: 6 });

// Stands for work that keeps the processor: while it lasts, this process takes
// nobody else.
function compute(ms) {
  for (const end = Date.now() + Number(ms); Date.now() < end;);
}
