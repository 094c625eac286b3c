import type {
  CreateUploadRequest,
  CreateUploadResponse,
  UploadDetail,
} from '@relaypacs/core/contract/uploads.js';

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

/** Of every account a test makes. */
export const PASSWORD = 'Correct-horse-7-battery';
let accounts = 0;

/** One account's way to talk to the API, as an integrator would: plain fetch. */
export class ApiClient {
  readonly baseUrl: string;
  readonly username: string;
  token: string | undefined;

  private constructor(baseUrl: string, username: string) {
    this.baseUrl = baseUrl;
    this.username = username;
  }

  /** Without an account. */
  static anonymous(baseUrl: string): ApiClient {
    return new ApiClient(baseUrl, '');
  }

  /** Registers a new account and signs it in. The first one of an empty system is an administrator. */
  static async signUp(baseUrl: string, role = 'Clinician', facility?: string): Promise<ApiClient> {
    accounts += 1;
    const client = new ApiClient(baseUrl, `user${accounts}-${process.pid}-${Date.now()}`);
    const email = `${client.username}@example.org`;
    const made = await client.post('/api/v1/auth/register', {
      username: client.username,
      email,
      password: PASSWORD,
      role,
      facility,
    });
    if (made.status !== 201) throw new Error(`Not registered: ${JSON.stringify(made.body)}`);
    await client.signIn();
    return client;
  }

  async signIn(): Promise<void> {
    const answer = await this.post('/api/v1/auth/login', { username: this.username, password: PASSWORD });
    if (answer.status !== 200) throw new Error(`Not signed in: ${JSON.stringify(answer.body)}`);
    this.token = String(answer.body.accessToken);
  }

  async request<T = Record<string, unknown>>(
    method: string,
    path: string,
    init: RequestInit = {},
  ): Promise<Answer<T>> {
    const headers = new Headers(init.headers);
    if (this.token !== undefined && !headers.has('authorization'))
      headers.set('authorization', `Bearer ${this.token}`);
    const response = await fetch(new URL(path, this.baseUrl), { ...init, method, headers });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as T,
    };
  }

  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.request<T>('GET', path);
  }

  post<T = Record<string, unknown>>(path: string, body?: unknown): Promise<Answer<T>> {
    return this.request<T>('POST', path, {
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  patch<T = Record<string, unknown>>(path: string, body: unknown): Promise<Answer<T>> {
    return this.request<T>('PATCH', path, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** Announces an upload; what is not given is filled in. */
  async announce(given: Partial<CreateUploadRequest> = {}): Promise<CreateUploadResponse> {
    const answer = await this.post<CreateUploadResponse>('/api/v1/uploads', {
      patientName: 'Doe^Jane',
      studyDate: '2026-01-02',
      modality: 'CT',
      serviceLevel: 'routine',
      fileCount: 1,
      totalBytes: 1_000_000,
      forceUpload: true,
      ...given,
    });
    if (answer.status !== 201) throw new Error(`Not announced: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Announces and sends files, each in one request, `lanes` at a time; resolves when all are acknowledged. */
  async send(
    files: ReadonlyArray<Uint8Array>,
    given: Partial<CreateUploadRequest> = {},
    lanes = 6,
  ): Promise<string> {
    const totalBytes = files.reduce((sum, file) => sum + file.length, 0);
    const upload = await this.announce({ fileCount: files.length, totalBytes, ...given });
    const waiting = files.entries();
    const lane = async () => {
      for (const [index, file] of waiting) {
        const answer = await this.createFile(upload, file, `IM${index}.dcm`);
        if (answer.status !== 201)
          throw new Error(`Not sent: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return upload.id;
  }

  /** tus creation-with-upload of a whole file. */
  createFile(
    upload: Pick<CreateUploadResponse, 'uploadToken'>,
    file: Uint8Array,
    filename: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.request('POST', '/files', {
      headers: {
        authorization: `Bearer ${upload.uploadToken}`,
        'tus-resumable': '1.0.0',
        'upload-length': String(file.length),
        'upload-metadata': `filename ${btoa(filename)}`,
        'content-type': 'application/offset+octet-stream',
        ...headers,
      },
      body: file as Uint8Array<ArrayBuffer>,
    });
  }

  async upload(id: string): Promise<UploadDetail> {
    return (await this.get<UploadDetail>(`/api/v1/uploads/${id}`)).body;
  }

  /** Waits until the upload is in a state; fails with what it is in when that takes too long. */
  async waitFor(
    id: string,
    holds: (upload: UploadDetail) => boolean,
    limitMs = 60_000,
  ): Promise<UploadDetail> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      // A server that is being restarted does not answer; that is what waiting is for.
      const upload = await this.upload(id).catch(() => undefined);
      if (upload && holds(upload)) return upload;
      if (Date.now() > deadline) throw new Error(`The upload did not get there: ${JSON.stringify(upload)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
