using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// An HTTP endpoint as a reward: POST {"rows": [{"prompt", "response", "metadata"}, …]} is answered by {"rewards": [number, list or null, …]}.
/// At most <see cref="InFlight"/> requests are open at once; time-outs, lost connections, 429 and 5xx are tried again, after the
/// server's Retry-After or a wait that doubles. An answer too long to be one is not waited for again.
/// </summary>
internal sealed class HttpReward : IRewardFunction
{
    private const int BatchRows = 64, InFlight = 4, Attempts = 4;

    /// <summary>256 KiB a row: thousands of rewards of single tokens.</summary>
    internal const int LongestAnswer = 1 << 24;

    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);
    private readonly HttpClient _client;
    private readonly Uri _address;
    private readonly string _who;
    private readonly TimeSpan _firstWait;

    /// <param name="address">http or https.</param>
    /// <param name="timeout">Longest wait for one answer.</param>
    /// <param name="firstWait">Wait before the second attempt.</param>
    public HttpReward(Uri address, TimeSpan timeout, TimeSpan? firstWait = null)
    {
        (_address, _who) = (address, $"The reward endpoint {address}");
        _firstWait = firstWait ?? TimeSpan.FromSeconds(0.5);
        _client = new HttpClient { Timeout = timeout, MaxResponseContentBufferSize = LongestAnswer };
    }

    public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
    {
        var values = new RewardValue[rows.Count];
        int batches = (rows.Count + BatchRows - 1) / BatchRows;
        ParallelOptions options = new() { MaxDegreeOfParallelism = InFlight, CancellationToken = cancellation };
        Parallel.ForEachAsync(Enumerable.Range(0, batches), options, async (batch, stop) =>
        {
            int first = batch * BatchRows, count = Math.Min(BatchRows, rows.Count - first);
            string answer = await Ask(RewardJson.Rows(rows, first, count), stop).ConfigureAwait(false);
            RewardJson.Values(answer, rows, first, count, _who).CopyTo(values, first);
        }).GetAwaiter().GetResult();
        return values;
    }

    private async Task<string> Ask(string body, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            string problem;
            TimeSpan wait = _firstWait * (1 << (attempt - 1));
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using HttpResponseMessage response = await _client.PostAsync(_address, content, cancellation).ConfigureAwait(false);
                string text = Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)); // JSON, whatever its header says
                if (response.IsSuccessStatusCode) return text;
                problem = $"answered {(int)response.StatusCode} {response.ReasonPhrase}: '{Excerpt.Of(text)}'";
                if (response.StatusCode != HttpStatusCode.TooManyRequests && (int)response.StatusCode < 500) throw new EngineException($"{_who} {problem}.");
                if (Asked(response.Headers.RetryAfter) is { } asked && asked >= TimeSpan.Zero && asked < LongestWait) wait = asked;
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
            {
                throw new BadDataException($"{_who} gave an answer of more than {LongestAnswer >> 20} MiB for at most {BatchRows} rows. It must answer {{\"rewards\": […]}} with one reward a row.", e);
            }
            catch (HttpRequestException e)
            {
                problem = $"cannot be reached: {e.Message}";
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                problem = $"gave no answer within {_client.Timeout.TotalSeconds:0.#} s";
            }

            if (attempt == Attempts) throw new EngineException($"{_who} {problem} ({Attempts} attempts). Finished rows are kept.");
            await Task.Delay(wait, cancellation).ConfigureAwait(false);
        }
    }

    // Seconds, or a date.
    private static TimeSpan? Asked(RetryConditionHeaderValue? header) => header?.Delta ?? header?.Date - TimeProvider.System.GetUtcNow();

    public void Dispose() => _client.Dispose();
}
