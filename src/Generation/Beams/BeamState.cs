namespace Rlhf.Generation.Beams;

/// <summary>
/// The bookkeeping of beam search for one prompt, on numbers alone: which continuations live on, which hypotheses have ended. The rules are
/// those of Hugging Face's BeamSearchScorer, as GenAI has them: enough candidates a step that as many as there are beams go on, whatever tokens
/// end; an end token counts only among the best `beams` of all; a hypothesis' score divides by the length of prompt and response, without the end token, to the power λ.
/// </summary>
internal sealed class BeamState
{
    private readonly BeamSearchOptions _options;
    private readonly int _promptLength;
    private readonly bool[] _isEnd;
    private readonly List<BeamHypothesis> _ended = []; // best first
    private readonly Candidates _best, _living; // of all continuations, and of those that do not end
    private List<float>[] _logprobs; // of the living beams' tokens

    public BeamState(BeamSearchOptions options, int promptLength, bool[] isEnd)
    {
        (_options, _promptLength, _isEnd) = (options, promptLength, isEnd);
        (_best, _living) = (new(options.Beams), new(options.Beams));
        Scores = new float[options.Beams];
        Parents = new int[options.Beams];
        Responses = [.. Enumerable.Range(0, options.Beams).Select(_ => new List<int>())];
        _logprobs = [.. Enumerable.Range(0, options.Beams).Select(_ => new List<float>())];
    }

    /// <summary>Σ log p of each living beam.</summary>
    public float[] Scores { get; }

    /// <summary>The beam that each living beam came from in the last step.</summary>
    public int[] Parents { get; }

    /// <summary>Tokens of each living beam.</summary>
    public List<int>[] Responses { get; private set; }

    public bool Done { get; private set; }

    /// <summary>Offers the continuations of one beam. The first step offers those of beam 0 only: all beams are equal then.</summary>
    public void Offer(int beam, ReadOnlySpan<float> logits)
    {
        float max = Sampling.ExpKernel.Max(logits);
        double sum = 0;
        for (int from = 0; from < logits.Length; from += 1024) sum += Sampling.ExpKernel.ExpSum(logits.Slice(from, Math.Min(1024, logits.Length - from)), max, 1, float.NegativeInfinity);
        if (!double.IsFinite(sum)) throw new Core.NumericalException("The policy's logits are not finite; no beam can be continued. The weights are damaged or training diverged.");
        float offset = (float)(Scores[beam] - max - Math.Log(sum)), normal = (float)(-max - Math.Log(sum));
        for (int token = 0; token < logits.Length; token++)
        {
            float score = logits[token] + offset;
            if (!_living.Admits(score)) continue; // nor does the other list, which is as long and has better ones
            _best.Offer(score, beam, token, logits[token] + normal);
            if (!_isEnd[token]) _living.Offer(score, beam, token, logits[token] + normal);
        }
    }

    /// <summary>Chooses the next beams from what was offered: as many continuations as there are beams, at least, that do not end.</summary>
    public void Advance()
    {
        int beams = _options.Beams;
        List<int>[] next = new List<int>[beams];
        List<float>[] logprobs = new List<float>[beams];
        float[] scores = new float[beams];
        float best = _best[0].Score;
        for (int rank = 0; rank < beams; rank++)
        {
            (float score, int beam, int token, float logprob) = _best[rank];
            if (_isEnd[token]) End(Responses[beam], _logprobs[beam], score, token, logprob);
        }

        for (int rank = 0; rank < beams; rank++)
        {
            (float score, int beam, int token, float logprob) = _living[rank];
            next[rank] = [.. Responses[beam], token];
            logprobs[rank] = [.. _logprobs[beam], logprob];
            scores[rank] = score;
            Parents[rank] = beam;
        }

        scores.CopyTo(Scores, 0);
        (Responses, _logprobs) = (next, logprobs);
        _best.Clear();
        _living.Clear();
        if (_ended.Count < beams) return;
        int length = _promptLength + next[0].Count - 1;
        Done = _options.EarlyStopping || best / MathF.Pow(length, (float)_options.LengthPenalty) <= _ended[^1].Score;
    }

    /// <summary>The hypotheses, best first; beams still living count as they are.</summary>
    public IReadOnlyList<BeamHypothesis> Finish()
    {
        if (!Done)
        {
            for (int beam = 0; beam < _options.Beams; beam++) End(Responses[beam], _logprobs[beam], Scores[beam], null, 0);
        }

        return _ended;
    }

    private void End(List<int> response, List<float> logprobs, float sumLogprob, int? endToken, float endLogprob)
    {
        double score = sumLogprob / MathF.Pow(_promptLength + response.Count, (float)_options.LengthPenalty);
        if (_ended.Count == _options.Beams)
        {
            if (score <= _ended[^1].Score) return;
            _ended.RemoveAt(_ended.Count - 1);
        }

        int at = _ended.Count;
        while (at > 0 && score > _ended[at - 1].Score) at--;
        _ended.Insert(at, new BeamHypothesis([.. response], endToken is null ? [.. logprobs] : [.. logprobs, endLogprob], endToken, sumLogprob, score));
    }

    /// <summary>The best continuations offered so far, best first; of equal ones the earlier.</summary>
    private sealed class Candidates(int most)
    {
        private readonly (float Score, int Beam, int Token, float Logprob)[] _kept = new (float, int, int, float)[most];
        private int _count;

        public (float Score, int Beam, int Token, float Logprob) this[int rank] => _kept[rank];

        public bool Admits(float score) => _count < _kept.Length || score > _kept[^1].Score;

        public void Offer(float score, int beam, int token, float logprob)
        {
            if (!Admits(score)) return;
            int at = _count < _kept.Length ? _count++ : _count - 1;
            for (; at > 0 && score > _kept[at - 1].Score; at--) _kept[at] = _kept[at - 1];
            _kept[at] = (score, beam, token, logprob);
        }

        public void Clear() => _count = 0;
    }
}
