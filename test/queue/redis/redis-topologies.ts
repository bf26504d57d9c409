import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { freePort } from '../../../load/free-port.ts'
import { owned } from '../../processes/owned-process.ts'
import { endRedis, launchRedis } from './redis-server.ts'

/** Redis in a topology other than one open server. Its processes end with it. */
export interface RedisTopology extends AsyncDisposable {
  readonly url: string
  /** Environment variables with which a client accepts its certificate. */
  readonly environment: Readonly<Record<string, string>>
}

export interface SentinelTopology extends RedisTopology {
  /** A failover by an operator: master and replica swap roles, and the old master refuses writes. */
  failOver(): Promise<void>
  /** Kills the master; its replica takes over, perhaps without the last writes. */
  killMaster(): Promise<void>
}

const NODES = 3
const SLOTS = 16_384
const SETTLE_MS = 30_000
/** Name of the master that the sentinel monitors. */
const MASTER = 'mymaster'

/** A cluster of three masters. */
export async function startCluster(): Promise<RedisTopology> {
  const { folder, servers, end } = await aFolder()
  const nodes: { readonly port: number; readonly busPort: number }[] = []
  for (let index = 0; index < NODES; index++) {
    const [port, busPort] = [await freePort(), await freePort()]
    const clustered = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`, '--cluster-port', String(busPort)]
    servers.push(await launchRedis(['--port', String(port), '--dir', folder, ...clustered]))
    nodes.push({ port, busPort })
  }
  const clients = nodes.map(({ port }) => new Redis({ host: '127.0.0.1', port }))
  for (const [index, client] of clients.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    const [first, next] = [index, index + 1].map(at => Math.floor((at * SLOTS) / NODES))
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String((next ?? SLOTS) - 1))
  }
  // After the epochs: a node that has met another refuses to set its epoch.
  for (const client of clients) {
    for (const { port, busPort } of nodes) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
  }
  for (const client of clients) {
    await until(async () => /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await client.call('CLUSTER', 'INFO'))))
    client.disconnect()
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return { url: `redis+cluster://${hosts}`, environment: {}, [Symbol.asyncDispose]: end }
}

/** A master, its replica, and a sentinel that monitors them. */
export async function startSentinel(): Promise<SentinelTopology> {
  const { folder, servers, end } = await aFolder()
  const [first, second, watching] = [await freePort(), await freePort(), await freePort()]
  const byPort = new Map<number, ChildProcess>()
  byPort.set(first, await launchRedis(['--port', String(first), '--dir', folder]))
  byPort.set(second, await launchRedis(['--port', String(second), '--dir', folder, '--replicaof', '127.0.0.1', String(first)]))
  const file = join(folder, 'sentinel.conf')
  const watch = [`monitor ${MASTER} 127.0.0.1 ${first} 1`, `down-after-milliseconds ${MASTER} 500`, `failover-timeout ${MASTER} 3000`]
  await writeFile(
    file,
    [`port ${watching}`, 'bind 127.0.0.1', `dir ${folder}`, ...watch.map(setting => `sentinel ${setting}`), ''].join('\n')
  )
  servers.push(...byPort.values(), owned(spawn('redis-server', [file, '--sentinel'], { stdio: ['ignore', 'ignore', 'inherit'] })))

  const sentinel = new Redis({ host: '127.0.0.1', port: watching })
  sentinel.on('error', () => {})
  const masterPort = async (): Promise<number> => {
    const [, port] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string]
    return Number(port)
  }
  const hasMoved = async (from: number): Promise<void> => await until(async () => (await masterPort()) !== from)
  await until(async () => String(await sentinel.call('SENTINEL', 'REPLICAS', MASTER)).includes('master-link-status,ok'))
  return {
    url: `redis+sentinel://127.0.0.1:${watching}/${MASTER}`,
    environment: {},
    async failOver() {
      const master = await masterPort()
      await sentinel.call('SENTINEL', 'FAILOVER', MASTER)
      await hasMoved(master)
    },
    async killMaster() {
      const master = await masterPort()
      const server = byPort.get(master)
      if (server !== undefined) await endRedis(server)
      await hasMoved(master)
    },
    async [Symbol.asyncDispose]() {
      sentinel.disconnect()
      await end()
    }
  }
}

/** One server that accepts TLS only, with a self-signed certificate, and requires a password. */
export async function startTls(): Promise<RedisTopology> {
  const { folder, servers, end } = await aFolder()
  const [certificate, key, port] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), await freePort()]
  const subject = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject]
  await promisify(execFile)('openssl', ['req', ...made, '-keyout', key, '-out', certificate])
  const secured = ['--tls-port', String(port), '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no']
  servers.push(await launchRedis(['--port', '0', '--dir', folder, '--requirepass', 'p@ss', ...secured]))
  return { url: `rediss://:p%40ss@127.0.0.1:${port}`, environment: { NODE_EXTRA_CA_CERTS: certificate }, [Symbol.asyncDispose]: end }
}

async function aFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-redis-'))
  const servers: ChildProcess[] = []
  return {
    folder,
    servers,
    async end() {
      for (const server of servers) await endRedis(server)
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + SETTLE_MS
  while (!(await holds().catch(() => false))) {
    if (performance.now() > untilMs) throw new Error(`Redis is not ready after ${SETTLE_MS} ms`)
    await pause(50)
  }
}
