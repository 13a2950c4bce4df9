/** Requests to the bed's API server, for setting up and looking at; the operator has its own client. */
import { Agent, interceptors, request } from 'undici';

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly body?: unknown;
  /** Default: JSON, and a merge patch for PATCH. */
  readonly contentType?: string;
  readonly accept?: string;
  /** Instead of the administrator's. */
  readonly token?: string;
  /** Throws on any other status. */
  readonly expect?: number;
}

export interface KubeAnswer<T> {
  readonly status: number;
  readonly body: T;
}

export interface KubeHttp {
  <T = unknown>(options: KubeRequest): Promise<KubeAnswer<T>>;
  close(): Promise<void>;
}

/** The body is parsed where it is JSON, else it is the text. */
export function createKubeHttp(url: string, caPem: string, adminToken: string): KubeHttp {
  const agent = new Agent({ connect: { ca: caPem }, keepAliveTimeout: 10_000 });
  // A server that has just started answers the first list of a custom resource 429 until its cache is filled.
  const asked = { methods: ['GET' as const], statusCodes: [429], errorCodes: [], throwOnError: false };
  const dispatcher = agent.compose(interceptors.retry(asked));

  async function send<T>(options: KubeRequest): Promise<KubeAnswer<T>> {
    const method = options.method ?? 'GET';
    const answer = await request(`${url}${options.path}`, {
      dispatcher,
      method,
      headers: {
        authorization: `Bearer ${options.token ?? adminToken}`,
        accept: options.accept ?? 'application/json',
        'content-type':
          options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await answer.body.text();
    if (options.expect !== undefined && answer.statusCode !== options.expect) {
      throw new Error(`${method} ${options.path} answered ${answer.statusCode}: ${text.slice(0, 500)}`);
    }
    return { status: answer.statusCode, body: parse(text) as T };
  }

  return Object.assign(send, { close: () => agent.destroy() });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
