// Profiles of the running process, for whoever can reach its loopback address: where time goes and who allocates.
//
// The heap is sampled by who allocates, never dumped: a dump holds every token that lives at that moment.
import { createServer, type Server } from 'node:http';
import { Session } from 'node:inspector/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from './http.ts';

const longestSeconds = 300;

const profiles: Readonly<Record<string, (session: Session, ms: number) => Promise<object>>> = {
  '/debug/cpu': async (session, ms) => {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await pause(ms);
    return (await session.post('Profiler.stop')).profile;
  },
  '/debug/heap': async (session, ms) => {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling');
    await pause(ms);
    return (await session.post('HeapProfiler.stopSampling')).profile;
  },
};

export async function serveProfiles(port: number): Promise<Server> {
  let isBusy = false;
  const take = async (profile: (session: Session, ms: number) => Promise<object>, ms: number) => {
    const session = new Session();
    session.connect();
    isBusy = true;
    try {
      return JSON.stringify(await profile(session, ms));
    } finally {
      isBusy = false;
      session.disconnect();
    }
  };
  const server = createServer((request, response) => {
    const answer = (status: number, body: string) => {
      response.writeHead(status, { 'content-type': status === 200 ? 'application/json' : 'text/plain' });
      response.end(body);
    };
    const asked = URL.parse(request.url ?? '/', 'http://127.0.0.1');
    if (asked === null) {
      answer(400, 'the address cannot be understood\n');
      return;
    }
    const { pathname, searchParams } = asked;
    const profile = Object.hasOwn(profiles, pathname) ? profiles[pathname] : undefined;
    const wanted = Number(searchParams.get('seconds') ?? '10');
    if (profile === undefined) answer(404, `${Object.keys(profiles).join(' or ')}, with ?seconds=10\n`);
    else if (!(wanted > 0 && wanted <= longestSeconds)) answer(400, `seconds is 1 to ${longestSeconds}\n`);
    else if (isBusy) answer(409, 'another profile is being taken\n');
    else {
      take(profile, wanted * 1000).then(
        (body) => answer(200, body),
        () => answer(500, 'the profile could not be taken\n'),
      );
    }
  });
  await listen(server, port, '127.0.0.1');
  return server;
}
