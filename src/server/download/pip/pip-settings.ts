import { readFile } from 'node:fs/promises'
import { homedir, platform } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Environment } from '../../config/environment.ts'

/** The settings of this machine's pip that concern package indexes. */
export interface PipSettings {
  /** Configured indexes with HTTP URLs, in pip's order; may contain credentials. Empty: pip uses its default. */
  readonly indexes: readonly URL[]
  /** PEM file of the certificates to trust; null for the default ones. */
  readonly certificateFile: string | null
}

/**
 * Reads pip's configuration without pip: the files of the system, the user and the virtual environment, then `PIP_*`
 * variables; later ones take precedence.
 *
 * Source: pip's documentation, "Configuration"; the order is that of `pip config debug`.
 */
export async function readPipSettings(environment: Environment): Promise<PipSettings> {
  const texts = await Promise.all(configFiles(environment).map(file => readFile(file, 'utf8').catch(() => '')))
  const sections = texts.map(parseConfigFile)
  const merged = new Map([...sections.flatMap(({ global }) => [...global]), ...sections.flatMap(({ download }) => [...download])])
  const setting = (name: string): string =>
    environment[`PIP_${name.replaceAll('-', '_').toUpperCase()}`]?.trim() || (merged.get(name) ?? '')

  const isOffline = ['1', 'true', 'yes', 'on'].includes(setting('no-index').toLowerCase())
  const addresses = isOffline ? [] : `${setting('index-url')} ${setting('extra-index-url')}`.split(/\s+/)
  return {
    indexes: addresses.flatMap(address => (/^https?:/i.test(address) ? (URL.parse(address) ?? []) : [])),
    certificateFile: setting('cert') || null
  }
}

function configFiles(environment: Environment): string[] {
  const own = environment['PIP_CONFIG_FILE']
  if (own === '/dev/null' || own === 'nul') return []
  const home = environment['HOME'] ?? homedir()
  const name = platform() === 'win32' ? 'pip.ini' : 'pip.conf'
  const systemFolders = {
    win32: [join(environment['PROGRAMDATA'] ?? 'C:\\ProgramData', 'pip')],
    darwin: ['/Library/Application Support/pip'],
    linux: [...(environment['XDG_CONFIG_DIRS'] || '/etc/xdg').split(delimiter).map(folder => join(folder, 'pip')), '/etc']
  }
  const userFolders = {
    win32: [join(home, 'pip'), join(environment['APPDATA'] ?? home, 'pip')],
    darwin: [join(home, '.pip'), join(home, '.config', 'pip'), join(home, 'Library', 'Application Support', 'pip')],
    linux: [join(home, '.pip'), join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'pip')]
  }
  const system = platform() === 'win32' || platform() === 'darwin' ? (platform() as 'win32' | 'darwin') : 'linux'
  const virtualEnvironment = environment['VIRTUAL_ENV']
  return [
    ...systemFolders[system].map(folder => join(folder, name)),
    // A file named by PIP_CONFIG_FILE replaces the user's.
    ...(own ? [] : userFolders[system].map(folder => join(folder, name))),
    ...(virtualEnvironment ? [join(virtualEnvironment, name)] : []),
    ...(own ? [own] : [])
  ]
}

interface Sections {
  readonly global: ReadonlyMap<string, string>
  readonly download: ReadonlyMap<string, string>
}

/** The INI dialect of Python's configparser: indented lines continue the value above. */
function parseConfigFile(text: string): Sections {
  const sections = { global: new Map<string, string>(), download: new Map<string, string>() }
  let section: Map<string, string> | null = null
  let key = ''
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue
    const header = /^\[(.+)\]/.exec(line)?.[1]
    const [, name, value] = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line) ?? []
    if (header !== undefined) section = header === 'global' || header === 'download' ? sections[header] : null
    else if (/^\s/.test(line)) section?.set(key, `${section.get(key) ?? ''} ${line.trim()}`)
    else if (name !== undefined && value !== undefined) {
      key = name.toLowerCase().replaceAll('_', '-')
      section?.set(key, value.trim())
    }
  }
  return sections
}
