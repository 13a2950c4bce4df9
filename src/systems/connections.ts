// How the SDK's clients connect: through the proxy that HTTPS_PROXY and NO_PROXY name, by Node's own agents.
import { Agent as PlainAgent, type AgentOptions } from 'node:http';
import { Agent } from 'node:https';

/** The environment variables of a platform's proxy, in either case; others are not looked at. */
export type ProxyEnvironment = NonNullable<AgentOptions['proxyEnv']>;

/** The part of a client's `requestHandler`; a client closes what it was given, so each needs its own. */
export function connections(proxyEnv: ProxyEnvironment): {
  readonly httpAgent: PlainAgent;
  readonly httpsAgent: Agent;
} {
  // As the SDK makes them, but for the proxy.
  const options = { keepAlive: true, maxSockets: 50, proxyEnv };
  return { httpAgent: new PlainAgent(options), httpsAgent: new Agent(options) };
}
