// A heap of more than 500 MB.
const parts = [];
for (let i = 0; i < 500; i++) parts.push(new Array(131072).fill(i));
let sum = 0;
for (const p of parts) sum += p[7];
const used = process.memoryUsage().heapUsed;
console.log(sum, used > 500e6);
