namespace Rlhf.Generation.Beams;

/// <summary>
/// The bookkeeping of beam search for one prompt, on numbers alone: which continuations live on, which hypotheses have ended. The rules are
/// those of Hugging Face's BeamSearchScorer, as GenAI has them: 2·beams candidates a step; an end token counts only among the best
/// `beams` of them; a hypothesis' score divides by the length of prompt and response, without the end token, to the power λ.
/// </summary>
internal sealed class BeamState
{
    private readonly BeamSearchOptions _options;
    private readonly int _promptLength;
    private readonly bool[] _isEnd;
    private readonly List<BeamHypothesis> _ended = []; // best first
    private readonly (float Score, int Beam, int Token, float Logprob)[] _candidates; // best first
    private int _candidateCount;
    private List<float>[] _logprobs; // of the living beams' tokens

    public BeamState(BeamSearchOptions options, int promptLength, bool[] isEnd)
    {
        (_options, _promptLength, _isEnd) = (options, promptLength, isEnd);
        _candidates = new (float, int, int, float)[2 * options.Beams];
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
            if (_candidateCount == _candidates.Length && score <= _candidates[^1].Score) continue;
            int at = _candidateCount < _candidates.Length ? _candidateCount++ : _candidateCount - 1;
            for (; at > 0 && score > _candidates[at - 1].Score; at--) _candidates[at] = _candidates[at - 1];
            _candidates[at] = (score, beam, token, logits[token] + normal);
        }
    }

    /// <summary>Chooses the next beams from what was offered.</summary>
    public void Advance()
    {
        int beams = _options.Beams, living = 0;
        List<int>[] next = new List<int>[beams];
        List<float>[] logprobs = new List<float>[beams];
        float[] scores = new float[beams];
        float best = _candidates[0].Score;
        for (int rank = 0; rank < _candidateCount && living < beams; rank++)
        {
            (float score, int beam, int token, float logprob) = _candidates[rank];
            if (_isEnd[token])
            {
                if (rank < beams) End(Responses[beam], _logprobs[beam], score, token, logprob);
                continue;
            }

            next[living] = [.. Responses[beam], token];
            logprobs[living] = [.. _logprobs[beam], logprob];
            scores[living] = score;
            Parents[living++] = beam;
        }

        scores.CopyTo(Scores, 0);
        (Responses, _logprobs) = (next, logprobs);
        _candidateCount = 0;
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
}
