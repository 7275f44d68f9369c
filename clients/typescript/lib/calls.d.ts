import type { ExactAmounts } from "./amounts.js";
import type { WithEarlierTries } from "./batch.js";
import type { components, paths } from "../schema.js";
type Paths = WithEarlierTries<ExactAmounts<paths>>;
type Method = "get" | "post" | "put" | "patch" | "delete";
/** The paths that have an operation of this method. */
type PathWith<M extends Method> = {
    [P in keyof Paths]: Paths[P] extends {
        [K in M]: object;
    } ? P : never;
}[keyof Paths];
type Operation<P extends keyof Paths, M extends Method> = Paths[P] extends {
    [K in M]: infer O;
} ? O : never;
type RequiredKeys<T> = {
    [K in keyof T]-?: object extends Pick<T, K> ? never : K;
}[keyof T];
type Parameters<O> = O extends {
    parameters: infer A;
} ? Pick<A, keyof A & ("path" | "query" | "header")> : never;
type JsonOf<C> = C extends {
    "application/json": infer J;
} ? J : C[keyof C];
type Content<T> = T extends {
    content: infer C;
} ? C[keyof C] : never;
type Success = 200 | 201 | 202 | 203 | 204;
type Data<O> = O extends {
    responses: infer R;
} ? {
    [S in keyof R]: S extends Success ? (R[S] extends {
        content: infer C;
    } ? JsonOf<C> : never) : never;
}[keyof R] : never;
/** How the body of a success is read: as JSON (the default), or as the text that it is. */
export type ParseAs = "json" | "text";
/** What a call can have beside its path, whatever the path is. */
export interface CommonInit {
    /** Headers of this call, besides those of the path. */
    headers?: Record<string, string>;
    /** Ends the call: its reason is thrown. */
    signal?: AbortSignal;
}
type Init<O> = CommonInit & (RequiredKeys<Parameters<O>> extends never ? {
    params?: Parameters<O>;
} : {
    params: Parameters<O>;
}) & (O extends {
    requestBody: infer B;
} ? {
    body: Content<B>;
} : O extends {
    requestBody?: infer B;
} ? {
    body?: Content<B>;
} : object);
type InitOf<O, As extends ParseAs> = Init<O> & {
    parseAs?: As;
};
/** The end of a call that was answered: `data` of a success, or `error`, the problem of a refusal (a text, if a proxy refused). */
export type Result<T> = {
    data: T;
    error?: undefined;
    response: Response;
} | {
    data?: undefined;
    error: components["schemas"]["Problem"];
    response: Response;
};
type Call<M extends Method> = <P extends PathWith<M>, As extends ParseAs = "json">(path: P, ...init: object extends Init<Operation<P, M>> ? [init?: InitOf<Operation<P, M>, As>] : [init: InitOf<Operation<P, M>, As>]) => Promise<Result<As extends "text" ? string : Data<Operation<P, M>>>>;
/** Typed GET, POST, PUT, PATCH and DELETE for every path of the service. */
export interface WalletClient {
    GET: Call<"get">;
    POST: Call<"post">;
    PUT: Call<"put">;
    PATCH: Call<"patch">;
    DELETE: Call<"delete">;
}
export {};
