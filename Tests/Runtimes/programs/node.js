const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { spawn, spawnSync, exec, fork } = require('child_process');
const fs = require('fs');
const os = require('os');
if (!isMainThread) {
  let sum = 0;
  for (let i = 0; i < 2e5; i++) sum += i % workerData;
  const shared = new Int32Array(new SharedArrayBuffer(4));
  parentPort.on('message', (buffer) => {
    const view = new Int32Array(buffer);
    for (let i = 0; i < 1000; i++) Atomics.add(view, 0, 1);
    Atomics.notify(view, 0);
    parentPort.postMessage('added');
    parentPort.close();
  });
  parentPort.postMessage(sum);
} else if (process.argv[2] === 'child') {
  process.on('message', (m) => { process.send({ got: m }); process.disconnect(); });
} else main();

async function main() {
  const sums = await Promise.all([3, 5, 7].map((n) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: n });
    const buffer = new SharedArrayBuffer(4);
    let sum;
    worker.on('message', (m) => { if (m === 'added') resolve([sum, new Int32Array(buffer)[0]]); else { sum = m; worker.postMessage(buffer); } });
    worker.on('error', reject);
  })));
  console.log(sums);
  const child = spawnSync('/bin/sh', ['-c', 'cat; echo error >&2; exit 4'], { input: 'text' });
  console.log(child.status, child.stdout.toString(), child.stderr.toString());
  const sorted = spawn('/bin/sort', ['-n']);
  let out = '';
  sorted.stdout.on('data', (d) => out += d);
  sorted.stdin.end('10\n9\n100\n1\n');
  const code = await new Promise((resolve) => sorted.on('close', resolve));
  console.log(code, JSON.stringify(out));
  const killed = spawn('/bin/sleep', ['100']);
  killed.kill('SIGTERM');
  console.log(await new Promise((resolve) => killed.on('exit', (c, s) => resolve([c, s]))));
  const forked = fork(__filename, ['child']);
  forked.send({ a: [1, 2, 3] });
  forked.on('message', (m) => console.log(m));
  await new Promise((resolve) => forked.on('exit', resolve));
  await fs.promises.mkdir('d/e', { recursive: true });
  await fs.promises.writeFile('d/e/file', 'x'.repeat(100000));
  console.log((await fs.promises.stat('d/e/file')).size, (await fs.promises.readdir('d')).length);
  await new Promise((resolve) => fs.createReadStream('d/e/file').pipe(fs.createWriteStream('d/copy')).on('finish', resolve));
  console.log(fs.readFileSync('d/copy').equals(fs.readFileSync('d/e/file')));
  fs.rmSync('d', { recursive: true });
  console.log(fs.existsSync('d'));
  const zlib = require('zlib'), crypto = require('crypto');
  console.log(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(50000, 'ab'))).length, crypto.createHash('sha256').update('abc').digest('hex').slice(0, 16));
  const random = crypto.scryptSync('secret', 'salt', 16, { N: 1024 });
  console.log(random.toString('hex'));
  process.on('SIGUSR2', () => { console.log('signal'); setTimeout(() => { throw new Error('the end'); }, 5); });
  setTimeout(() => {}, 10000).unref();
  const alive = setInterval(() => {}, 1000);
  process.on('exit', (c) => console.log('exit', c));
  process.kill(process.pid, 'SIGUSR2');
}
