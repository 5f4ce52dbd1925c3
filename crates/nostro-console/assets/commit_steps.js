// How a transfer was committed, as the steps to draw: what was prepared, where it was decided, who has finished.

/** [{ state: "done" | "waiting", title, detail }], or [] where the answer does not tell. */
export function commitSteps(transfer) {
  const { commit, batch } = transfer;
  if (!commit?.decided) return [];
  const { decided, prepared = [] } = commit;
  if (prepared.length === 0) {
    return [{
      state: "done",
      title: `Decided and committed at ${decided}`,
      detail: `One branch, one database transaction: row ${batch} and the money in the same commit.`,
    }];
  }
  const others = list(prepared);
  const isWaiting = transfer.state === "settling";
  return [
    { state: "done", title: `Prepared at ${others}`, detail: "PREPARE TRANSACTION: written, locked, not yet visible." },
    { state: "done", title: `Decided at ${decided}`, detail: `Decision row ${batch} committed: the commit point.` },
    isWaiting
      ? { state: "waiting", title: `To be finished at ${others}`, detail: "COMMIT PREPARED follows; it can no longer be undone." }
      : { state: "done", title: `Finished at ${others}`, detail: "COMMIT PREPARED: the other side is visible too." },
  ];
}

function list(codes) {
  return codes.length < 2 ? codes.join("") : `${codes.slice(0, -1).join(", ")} and ${codes.at(-1)}`;
}
