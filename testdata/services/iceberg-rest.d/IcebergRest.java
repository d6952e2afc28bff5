import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/**
 * Serves an Iceberg REST catalog on loopback, which the server that Iceberg ships with its tests
 * cannot: it binds every address. Usage: IcebergRest PORT DATABASE-FILE [PROPERTY=VALUE]…
 */
public final class IcebergRest {
  public static void main(String[] args) throws Exception {
    Map<String, String> catalog = new HashMap<>();
    catalog.put("catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog");
    catalog.put("uri", "jdbc:sqlite:" + args[1]);
    catalog.put("jdbc.schema-version", "V1"); // V0 has no views
    catalog.put("clients", "1"); // SQLite answers a second writer with SQLITE_BUSY
    for (int i = 2; i < args.length; i++) {
      String[] property = args[i].split("=", 2);
      catalog.put(property[0], property[1]);
    }
    var adapter =
        new RESTCatalogAdapter(
            CatalogUtil.buildIcebergCatalog("tablehaul", catalog, new Configuration()));

    var context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new RESTCatalogServlet(adapter)), "/*");
    var server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])));
    server.setHandler(context);
    server.setStopAtShutdown(true);
    server.start();
    server.join();
  }
}
