using System.Net;
using System.Text;
using System.Text.Json;

namespace Rlhf.Scoring.Tests;

/// <summary>A reward endpoint on this machine.</summary>
internal sealed class TestEndpoint : IDisposable
{
    private static int _next;
    private readonly HttpListener _server = new();
    private readonly Task _serving;

    /// <param name="answer">From the responses' lengths to the body; may set status and headers.</param>
    public TestEndpoint(Func<int[], HttpListenerResponse, string> answer)
    {
        Address = new Uri($"http://127.0.0.1:{20000 + ((Environment.ProcessId + (Interlocked.Increment(ref _next) * 97)) % 20000)}/");
        _server.Prefixes.Add(Address.ToString());
        _server.Start();
        _serving = Task.Run(async () =>
        {
            while (_server.IsListening)
            {
                HttpListenerContext context;
                try
                {
                    context = await _server.GetContextAsync();
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
                {
                    return; // stopped
                }

                using JsonDocument body = await JsonDocument.ParseAsync(context.Request.InputStream);
                int[] lengths = [.. body.RootElement.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("response").GetString()!.Length)];
                byte[] bytes = Encoding.UTF8.GetBytes(answer(lengths, context.Response));
                try
                {
                    await context.Response.OutputStream.WriteAsync(bytes);
                    context.Response.Close();
                }
                catch (HttpListenerException)
                {
                    // The client has hung up: it may, where an answer is not what it wants.
                }
            }
        });
    }

    public Uri Address { get; }

    public void Dispose()
    {
        _server.Stop();
        _serving.Wait();
        ((IDisposable)_server).Dispose();
    }
}
