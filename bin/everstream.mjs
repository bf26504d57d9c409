#!/usr/bin/env node
// Plain JavaScript for any version of Node: runs the server with the Node from the npm package "node", which can run
// TypeScript directly.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'server', 'main.ts')

function packagedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    return [join(folder, 'bin', 'node'), join(folder, 'bin', 'node.exe')].find(file => existsSync(file)) ?? null
  } catch {
    return null
  }
}

const node = packagedNode() ?? (Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : null)
if (node === null) {
  console.error(
    `everstream: Node 24 or newer is required, this is ${process.versions.node}, and the npm package "node" is not installed: run npm ci`
  )
  process.exit(1)
}

const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
// Signals are forwarded. One to the whole process group reaches the server twice; the server ignores the second.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', error => {
  console.error(`everstream: cannot start ${node}: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
