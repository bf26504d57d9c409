export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** Address of Redis, and credentials. */
export interface RedisAddress {
  /** `sentinel`: the nodes are sentinels, which return the address of the master called `master`. */
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly nodes: readonly [RedisNode, ...RedisNode[]]
  readonly master: string
  readonly tls: boolean
  readonly username: string | null
  readonly password: string | null
  readonly database: number
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/(.*))?$/
const NODE = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

/**
 * `redis://[[user]:password@]host[:port][/database]`, `rediss://…` (TLS),
 * `redis+sentinel://host,host/master[/database]`, `redis+cluster://host,host`.
 *
 * @returns null when the text is none of these
 */
export function parseRedisUrl(text: string): RedisAddress | null {
  const form = FORM.exec(text)
  if (form === null) return null
  const [, scheme, kind = 'single', access = '', hosts = '', path = ''] = form
  const [first, ...others] = hosts.split(',').map(host => nodeOf(host, kind === 'sentinel' ? 26_379 : 6379))
  if (first === undefined || first === null || others.includes(null) || (kind === 'single' && others.length > 0)) return null
  const [master, databaseText] = kind === 'sentinel' ? splitOnce(path, '/') : ['', path]
  if ((kind === 'sentinel') !== (master !== '') || !/^\d{0,5}$/.test(databaseText)) return null
  const database = Number(databaseText)
  if (kind === 'cluster' && database !== 0) return null
  const [username, password] = splitOnce(access, ':').map(decoded)
  if (username === undefined || password === undefined) return null
  return {
    kind: kind as RedisAddress['kind'],
    nodes: [first, ...others.filter(node => node !== null)],
    master,
    tls: scheme === 'rediss',
    username: username || null,
    password: password || null,
    database
  }
}

/** For logs and messages: without name and password. */
export function describeRedis({ nodes }: RedisAddress): string {
  return nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
}

function nodeOf(text: string, fallbackPort: number): RedisNode | null {
  const [, host, port] = NODE.exec(text) ?? []
  if (host === undefined || Number(port ?? fallbackPort) > 65_535) return null
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? fallbackPort) }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
