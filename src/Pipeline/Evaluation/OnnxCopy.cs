using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>An ONNX folder: the one named, or a temporary export of a Hugging Face folder that goes with this object.</summary>
internal sealed class OnnxCopy : IDisposable
{
    private readonly string? _temporary;

    private OnnxCopy(string path, string? temporary) => (Path, _temporary) = (path, temporary);

    public string Path { get; }

    /// <exception cref="BadModelException">The folder is missing or holds no model.</exception>
    public static OnnxCopy Of(string folder)
    {
        if (!Directory.Exists(folder) || File.Exists(System.IO.Path.Combine(folder, "model.onnx"))) return new OnnxCopy(folder, null); // its reader names what is missing
        string root = Directory.CreateTempSubdirectory("rlhf-onnx-").FullName;
        try
        {
            string copy = System.IO.Path.Combine(root, System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder))));
            ModelExport.Folder(folder, copy);
            return new OnnxCopy(copy, root);
        }
        catch
        {
            Directory.Delete(root, recursive: true);
            throw;
        }
    }

    public void Dispose()
    {
        if (_temporary is not null) Directory.Delete(_temporary, recursive: true);
    }
}
