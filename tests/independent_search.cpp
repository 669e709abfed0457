// A second, independent exhaustive search of the driver model.
//
// Written by hand from the description of the model, without a look at the table in
// verify/semantics.py: the two are compared edge by edge, so that a mistake would have to be
// made twice in the same way. It is driven by tests/independent_search.py.
//
// Standard input: one job a line,
//   threads encoders blocks flags same0 same1 other0 other1 streams homes target
// flags: 1 handlers intercepted, 2 handlers tear down, 4 atomic freelist, 8 callers retain,
// 16 shared encoders, 32 liveness check, 64 the client waits until create has returned and makes an
// encoder once. same/other: 16-bit matrices in hexadecimal, bit
// 4*k + k' set iff kinds k and k' exclude each other on the same (another) encoder, on
// different streams (0) and on one stream (1). streams, homes: a digit per thread, per encoder.
// target: the search stops once it has seen all of these faults (bit mask); 512 = never stop;
// 0 = stop at the first fault.
// Standard output: one line a job: faults found (mask), states, edges, deadlocks, exhausted
// (states in which a create found no free block), pairs of kinds (16-bit matrix) that were seen
// past their acquires at once on one encoder, in a reachable state; whether two threads were past
// their acquires at once, on any encoders, in a state without a fault (0 or 1); whether a thread
// had loaded a context that another thread's teardown was about to clear (0 or 1).
// With the argument "edges" the edges go to standard output instead, 24 bytes each: state, label,
// state as 64-bit little-endian words.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

enum Kind { CREATE, ENCODE, DESTROY, COMPLETE };
enum Where { IDLE, DISPATCHED, ENTERED, FINISHED, LOADED, TAKEN, PUSHED, CHECKED, POPPED, PEEKED,
             PUBLISHED };
enum Fault { NULL_DEREF, STALE, UNINITIALISED, DOUBLE_FREE, LOST, WRITE_AFTER_FREE, OVERLAP, DEAD };
enum Event { E_DISPATCH, E_ACQUIRE, E_LOAD, E_DEREF, E_PUSH, E_CLEAR, E_CHECK, E_POP, E_PEEK,
             E_CLAIM, E_PUBLISH, E_INIT, E_RELEASE, E_DROP };

constexpr int MAX = 4;
constexpr int NOTHING = 7;  // no block, or no encoder

struct Thread { int where, kind, encoder, block; };
struct State {
  Thread thread[MAX];
  int context[MAX];  // encoder -> block (the _impl pointer)
  int owner[MAX];    // block -> encoder
  int ready[MAX];    // block
  int alive[MAX];    // encoder
};

struct Job {
  int threads, encoders, blocks;
  bool intercepted, tearDown, atomicFreelist, retain, shared, check, patient;
  unsigned same[2], other[2];
  int stream[MAX], home[MAX];
};

using Packed = std::uint64_t;

// 11 bits a thread (3 threads), then 3+3+1+1 bits for each of 3 encoders / blocks.
Packed pack(const Job& job, const State& s) {
  Packed word = 0;
  for (int t = 0; t < job.threads; ++t) {
    const Thread& x = s.thread[t];
    const Packed field = x.where == IDLE ? 0 : Packed(x.where) | Packed(x.kind) << 4 |
                                                   Packed(x.encoder) << 6 | Packed(x.block) << 8;
    word = word << 11 | field;
  }
  for (int e = 0; e < job.encoders; ++e) word = word << 4 | Packed(s.context[e]) << 1 | Packed(s.alive[e]);
  for (int b = 0; b < job.blocks; ++b) word = word << 4 | Packed(s.owner[b]) << 1 | Packed(s.ready[b]);
  return word;
}

State unpack(const Job& job, Packed word) {
  State s{};
  for (int b = job.blocks - 1; b >= 0; --b, word >>= 4) {
    s.owner[b] = word >> 1 & 7;
    s.ready[b] = word & 1;
  }
  for (int e = job.encoders - 1; e >= 0; --e, word >>= 4) {
    s.context[e] = word >> 1 & 7;
    s.alive[e] = word & 1;
  }
  for (int t = job.threads - 1; t >= 0; --t, word >>= 11) {
    const int field = int(word & 2047);
    s.thread[t] = {field & 15, field >> 4 & 3, field >> 6 & 3, field == 0 ? NOTHING : field >> 8};
  }
  return s;
}

class Set {  // open addressing; 0 marks an empty cell, so states are stored plus one
 public:
  Set() : cells_(1u << 12) {}
  bool insert(Packed value) {
    if (size_ * 2 > cells_.size()) grow();
    return put(value + 1);
  }

 private:
  bool put(Packed value) {
    std::size_t at = (value * 0x9E3779B97F4A7C15ull >> 20) & (cells_.size() - 1);
    while (cells_[at] != 0) {
      if (cells_[at] == value) return false;
      at = (at + 1) & (cells_.size() - 1);
    }
    cells_[at] = value;
    ++size_;
    return true;
  }
  void grow() {
    std::vector<Packed> old(cells_.size() * 4);
    old.swap(cells_);
    size_ = 0;
    for (Packed value : old)
      if (value != 0) put(value);
  }
  std::vector<Packed> cells_;
  std::size_t size_ = 0;
};

class Search {
 public:
  Search(const Job& job, unsigned target, bool printEdges)
      : job_(job), target_(target), print_(printEdges) {}

  void run() {
    State s{};
    for (int t = 0; t < job_.threads; ++t) s.thread[t] = {IDLE, 0, 0, NOTHING};
    for (int e = 0; e < job_.encoders; ++e) s.context[e] = NOTHING, s.alive[e] = 1;
    for (int b = 0; b < job_.blocks; ++b) s.owner[b] = NOTHING;
    seen_.insert(pack(job_, s));
    queue_.push_back(pack(job_, s));
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      if (stop()) break;
      from_ = queue_[i];
      expand(unpack(job_, from_));
    }
  }

  void report() const {
    std::printf("%u %zu %zu %zu %zu %u %d %d\n", faults_, queue_.size(), edges_, deadlocks_,
                exhausted_, together_, parallel_, race_);
  }

 private:
  bool stop() const {
    if (target_ == 512) return false;
    if (target_ == 0) return faults_ != 0;
    return (faults_ & target_) == target_;
  }
  void fault(Fault f) {
    faults_ |= 1u << f;
    faulty_ = true;
  }

  bool allowed(int t, int kind, int e) const {
    if (kind == COMPLETE) return job_.tearDown;
    return job_.shared || job_.home[e] == t;
  }

  // A patient client leaves an encoder alone while it is being made, and makes it only where nothing
  // is: no context, and no call of anybody that has not come back.
  bool waits(const State& s, int kind, int e) const {
    if (!job_.patient) return false;
    if (kind == CREATE && s.context[e] != NOTHING) return true;
    for (int u = 0; u < job_.threads; ++u) {
      const Thread& y = s.thread[u];
      if (y.where == IDLE || y.encoder != e) continue;
      if (y.kind == CREATE || kind == CREATE) return true;
    }
    return false;
  }

  bool excludes(const Thread& holder, int h, const Thread& wanter, int w) const {
    if (!job_.intercepted && (holder.kind == COMPLETE || wanter.kind == COMPLETE)) return false;
    const bool sameStream = job_.stream[h] == job_.stream[w];
    const unsigned* matrix = holder.encoder == wanter.encoder ? job_.same : job_.other;
    return matrix[sameStream] >> (4 * holder.kind + wanter.kind) & 1;
  }

  void go(const State& s, int thread, Event event, int block, int kind, int encoder) {
    ++edges_;
    const Packed to = pack(job_, s);
    if (print_) {
      const Packed label = Packed(event) | Packed(thread) << 4 | Packed(kind) << 8 |
                           Packed(encoder) << 12 | Packed(block) << 16;
      const Packed row[3] = {from_, label, to};
      std::fwrite(row, sizeof row[0], 3, stdout);
    }
    if (seen_.insert(to)) queue_.push_back(to);
  }

  void expand(const State& s) {
    const std::size_t before = edges_;
    bool busy = false;
    int inside = 0;
    faulty_ = false;
    for (int t = 0; t < job_.threads; ++t) {
      const Thread& x = s.thread[t];
      if (x.where == IDLE) {
        dispatchAll(s, t);
        continue;
      }
      busy = true;
      inside += x.where != DISPATCHED;
      for (int u = 0; u < job_.threads; ++u) {
        const Thread& y = s.thread[u];
        if (u == t || y.where == IDLE || y.encoder != x.encoder) continue;
        if (x.where == LOADED && y.where == LOADED) fault(OVERLAP);
        if (x.where == LOADED && y.where == PUSHED && s.context[x.encoder] == x.block) race_ = true;
        if (x.where != DISPATCHED && y.where != DISPATCHED) together_ |= 1u << (4 * x.kind + y.kind);
      }
      move(s, t);
    }
    if (inside > 1 && !faulty_) parallel_ = true;
    const std::size_t moved = edges_ - before;
    for (int e = 0; e < job_.encoders; ++e) {
      bool inUse = false;
      for (int t = 0; t < job_.threads; ++t)
        inUse = inUse || (s.thread[t].where != IDLE && s.thread[t].encoder == e);
      if (s.alive[e] && !(job_.retain && inUse)) {
        State n = s;
        n.alive[e] = 0;
        go(n, MAX, E_DROP, NOTHING, 0, e);
      }
    }
    if (busy && moved == 0) ++deadlocks_;  // nothing but drops left, faulty threads included
  }

  void dispatchAll(const State& s, int t) {
    for (int kind = CREATE; kind <= COMPLETE; ++kind)
      for (int e = 0; e < job_.encoders; ++e) {
        if (!s.alive[e] || !allowed(t, kind, e)) continue;
        if (kind != CREATE && s.context[e] == NOTHING) continue;
        if (waits(s, kind, e)) continue;
        State n = s;
        n.thread[t] = {DISPATCHED, kind, e, NOTHING};
        go(n, t, E_DISPATCH, NOTHING, kind, e);
      }
  }

  void to(State n, int t, Event event, Where where, int block, int moved) {
    const int kind = n.thread[t].kind, e = n.thread[t].encoder;
    n.thread[t].where = where;
    n.thread[t].block = block;
    if (where == IDLE) n.thread[t] = {IDLE, 0, 0, NOTHING};
    go(n, t, event, moved, kind, e);
  }

  void move(const State& s, int t) {
    const Thread& x = s.thread[t];
    const int e = x.encoder, b = x.block, context = s.context[e];
    switch (x.where) {
      case DISPATCHED: {
        if (!s.alive[e]) return fault(DEAD);
        for (int u = 0; u < job_.threads; ++u) {
          const Thread& y = s.thread[u];
          if (u != t && y.where != IDLE && y.where != DISPATCHED && excludes(y, u, x, t)) return;
        }
        return to(s, t, E_ACQUIRE, ENTERED, NOTHING, NOTHING);
      }
      case ENTERED:
        if (x.kind == CREATE)
          return to(s, t, E_CHECK, context == NOTHING ? CHECKED : FINISHED, NOTHING, NOTHING);
        if (context == NOTHING) {
          if (x.kind == ENCODE && !job_.check) return fault(NULL_DEREF);
          return to(s, t, E_LOAD, FINISHED, NOTHING, NOTHING);
        }
        return to(s, t, E_LOAD, x.kind == ENCODE ? LOADED : TAKEN, context, context);
      case LOADED:
        if (context == NOTHING) return fault(NULL_DEREF);
        if (s.owner[context] != e) return fault(STALE);
        if (!s.ready[context]) return fault(UNINITIALISED);
        return to(s, t, E_DEREF, FINISHED, NOTHING, context);
      case TAKEN: {
        if (s.owner[b] != e) return fault(DOUBLE_FREE);
        State n = s;
        n.owner[b] = NOTHING;
        return to(n, t, E_PUSH, PUSHED, NOTHING, b);
      }
      case PUSHED: {
        State n = s;
        n.context[e] = NOTHING;
        return to(n, t, E_CLEAR, FINISHED, NOTHING, NOTHING);
      }
      case CHECKED: {
        bool any = false;
        for (int c = 0; c < job_.blocks; ++c) {
          if (s.owner[c] != NOTHING) continue;
          any = true;
          if (job_.atomicFreelist) claim(s, t, c, E_POP);
          else to(s, t, E_PEEK, PEEKED, c, c);
        }
        exhausted_ += !any;
        return;
      }
      case PEEKED: return claim(s, t, b, E_CLAIM);
      case POPPED: {
        if (context != NOTHING) return fault(LOST);
        State n = s;
        n.context[e] = b;
        return to(n, t, E_PUBLISH, PUBLISHED, b, b);
      }
      case PUBLISHED: {
        if (s.owner[b] != e) return fault(WRITE_AFTER_FREE);
        State n = s;
        n.ready[b] = 1;
        return to(n, t, E_INIT, FINISHED, NOTHING, b);
      }
      default: return to(s, t, E_RELEASE, IDLE, NOTHING, NOTHING);
    }
  }

  void claim(const State& s, int t, int b, Event event) {
    State n = s;
    n.owner[b] = n.thread[t].encoder;
    n.ready[b] = 0;
    to(n, t, event, POPPED, b, b);
  }

  const Job job_;
  const unsigned target_;
  const bool print_;
  Set seen_;
  std::vector<Packed> queue_;
  Packed from_ = 0;
  std::size_t edges_ = 0, deadlocks_ = 0, exhausted_ = 0;
  unsigned faults_ = 0, together_ = 0;
  bool faulty_ = false;  // the state that is being expanded
  bool parallel_ = false, race_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bool edges = argc > 1 && std::strcmp(argv[1], "edges") == 0;
  Job job{};
  unsigned flags, target;
  char streams[MAX + 1], homes[MAX + 1];
  while (std::scanf("%d %d %d %u %x %x %x %x %4s %4s %u", &job.threads, &job.encoders, &job.blocks,
                    &flags, &job.same[0], &job.same[1], &job.other[0], &job.other[1], streams,
                    homes, &target) == 11) {
    job.intercepted = flags & 1, job.tearDown = flags & 2, job.atomicFreelist = flags & 4;
    job.retain = flags & 8, job.shared = flags & 16, job.check = flags & 32;
    job.patient = flags & 64;
    for (int t = 0; t < job.threads; ++t) job.stream[t] = streams[t] - '0';
    for (int e = 0; e < job.encoders; ++e) job.home[e] = homes[e] - '0';
    Search search(job, target, edges);
    search.run();
    if (!edges) search.report();
    std::fflush(stdout);
  }
  return 0;
}
